# SPDX-License-Identifier: Apache-2.0
"""Build description of vla_sim."""

from setuptools import find_packages, setup

PACKAGE = "vla_sim"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={PACKAGE: ["py.typed", "**/*.yaml", "**/*.json", "**/*.xml", "**/*.safetensors"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "franky-sim", "mujoco", "rtb-data"],
    extras_require={"test": ["pytest"]},  # by this colcon finds that the tests are pytest's
    zip_safe=False,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.com",
    description="MuJoCo table-top worlds with two robots, tasks judged on physics, a scripted expert, simulator node.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "simulator_node = vla_sim.simulator_node:main",
        ],
        "vla_policy.policies": [
            "expert = vla_sim.expert.policy:create",
        ],
    },
)
