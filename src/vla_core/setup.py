# SPDX-License-Identifier: Apache-2.0
"""Build description of vla_core."""

from glob import glob

from setuptools import find_packages, setup

PACKAGE = "vla_core"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={PACKAGE: ["py.typed", "**/*.yaml", "**/*.json", "**/*.xml", "**/*.safetensors"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/config/robots", sorted(glob("config/robots/*.[yu]*"))),
        (f"share/{PACKAGE}/config/maps", sorted(glob("config/maps/*.yaml"))),
        (f"share/{PACKAGE}/config/teleop", sorted(glob("config/teleop/*.yaml"))),
        (f"share/{PACKAGE}/config/evaluation", sorted(glob("config/evaluation/*.yaml"))),
        (f"share/{PACKAGE}/config/variation", sorted(glob("config/variation/*.yaml"))),
        (f"share/{PACKAGE}/config", ["config/instructions_unseen.yaml"]),
    ],
    install_requires=["setuptools", "httpx2"],
    extras_require={"test": ["pytest"]},  # by this colcon finds that the tests are pytest's
    zip_safe=False,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.com",
    description="What every package may use: action chunks, robot files, rotations, settings, processes, health.",
    license="Apache-2.0",
)
