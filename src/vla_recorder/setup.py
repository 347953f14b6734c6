# SPDX-License-Identifier: Apache-2.0
"""Build description of vla_recorder."""

from setuptools import find_packages, setup

PACKAGE = "vla_recorder"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={PACKAGE: ["py.typed", "**/*.yaml", "**/*.json", "**/*.xml", "**/*.safetensors"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "mcap", "mcap-ros2-support"],
    extras_require={"test": ["pytest"]},  # by this colcon finds that the tests are pytest's
    zip_safe=False,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.com",
    description="Records the running graph to MCAP, one bag an episode, and reads such bags.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "recorder_node = vla_recorder.recorder_node:main",
            "record = vla_recorder.ros.record:main",
        ],
    },
)
