# SPDX-License-Identifier: Apache-2.0
"""Build description of vla_faults."""

from setuptools import find_packages, setup

PACKAGE = "vla_faults"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={PACKAGE: ["py.typed", "**/*.yaml", "**/*.json", "**/*.xml", "**/*.safetensors"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},  # by this colcon finds that the tests are pytest's
    zip_safe=False,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.com",
    description="Injected faults on the topics of the graph, for tests: off unless asked.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "fault_node = vla_faults.fault_node:main",
        ],
    },
)
