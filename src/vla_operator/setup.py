# SPDX-License-Identifier: Apache-2.0
"""Build description of vla_operator."""

from setuptools import find_packages, setup

PACKAGE = "vla_operator"

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
    description="Instructions by text, voice and action, of which it is the only writer; teleoperation.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "instruction_node = vla_operator.instruction_node:main",
            "say = vla_operator.ros.say:main",
            "teleop = vla_operator.ros.teleop.command:main",
            "teleop_node = vla_operator.teleop_node:main",
        ],
    },
)
