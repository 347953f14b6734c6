# SPDX-License-Identifier: Apache-2.0
"""Build description of vla_hardware."""

from setuptools import find_packages, setup

PACKAGE = "vla_hardware"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={PACKAGE: ["py.typed", "**/*.yaml", "**/*.json", "**/*.xml", "**/*.safetensors"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "franky-sim"],
    extras_require={"test": ["pytest"]},  # by this colcon finds that the tests are pytest's
    zip_safe=False,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.com",
    description="Drivers of real arms with the ROS face of the simulator: Franka Research 3 over libfranka's protocol.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "franka_driver_node = vla_hardware.franka_driver_node:main",
            "widowx_driver_node = vla_hardware.widowx_driver_node:main",
            "bench_hardware = vla_hardware.bench.command:main",
            "franka_sim = vla_hardware.franka.standin:main",
        ],
    },
)
