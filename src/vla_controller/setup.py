# SPDX-License-Identifier: Apache-2.0
"""Build description of vla_controller."""

from setuptools import find_packages, setup

PACKAGE = "vla_controller"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={PACKAGE: ["py.typed", "**/*.yaml", "**/*.json", "**/*.xml", "**/*.safetensors"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "daqp", "mujoco", "ruckig"],
    extras_require={"test": ["pytest"]},  # by this colcon finds that the tests are pytest's
    zip_safe=False,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.com",
    description="Action chunks to jerk-limited joint trajectories at 20 Hz, behind a safety gate.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "controller_node = vla_controller.controller_node:main",
            "robot = vla_controller.describe.command:main",
        ],
    },
)
