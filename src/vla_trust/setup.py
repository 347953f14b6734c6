# SPDX-License-Identifier: Apache-2.0
"""Build description of vla_trust."""

from setuptools import find_packages, setup

PACKAGE = "vla_trust"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={PACKAGE: ["py.typed", "**/*.yaml", "**/*.json", "**/*.xml", "**/*.safetensors"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "safetensors"],
    extras_require={"test": ["pytest"]},  # by this colcon finds that the tests are pytest's
    zip_safe=False,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.com",
    description="Checks of promises: fuzzing, least-privilege DDS permissions, bill of materials and audit.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "audit = vla_trust.supply.command:audit_main",
            "fuzz = vla_trust.fuzz.command:main",
            "keystore = vla_trust.keystore.command:main",
            "sbom = vla_trust.supply.command:sbom_main",
        ],
    },
)
