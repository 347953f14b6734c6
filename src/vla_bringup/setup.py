# SPDX-License-Identifier: Apache-2.0
"""Build description of vla_bringup."""

from glob import glob

from setuptools import find_packages, setup

PACKAGE = "vla_bringup"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={PACKAGE: ["py.typed", "**/*.yaml", "**/*.json", "**/*.xml", "**/*.safetensors"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/launch", sorted(glob("launch/*.py"))),
        (f"share/{PACKAGE}/config", sorted(glob("config/*.yaml"))),
        (f"share/{PACKAGE}/config/robots", sorted(glob("config/robots/*.yaml"))),
        (f"share/{PACKAGE}/config/gazebo", sorted(glob("config/gazebo/*.*"))),
        (f"share/{PACKAGE}/config/foxglove", sorted(glob("config/foxglove/*.json"))),
        (f"share/{PACKAGE}/config/rviz", sorted(glob("config/rviz/*.rviz"))),
    ],
    install_requires=["setuptools", "honcho"],
    extras_require={"test": ["pytest"]},  # by this colcon finds that the tests are pytest's
    zip_safe=False,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.com",
    description="The whole graph described once: launch files, configuration and the vla_up process manager.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "vla_up = vla_bringup.up:main",
        ],
    },
)
