# SPDX-License-Identifier: Apache-2.0
"""Build description of vla_perception."""

from setuptools import find_packages, setup

PACKAGE = "vla_perception"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={PACKAGE: ["py.typed", "**/*.yaml", "**/*.json", "**/*.xml", "**/*.safetensors", "**/*.md"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "safetensors", "torch"],
    extras_require={"test": ["pytest"]},  # by this colcon finds that the tests are pytest's
    zip_safe=False,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.com",
    description="Camera ingest: from images and joint states to observations.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "camera_node = vla_perception.camera_node:main",
            "scene_node = vla_perception.scene_node:main",
        ],
    },
)
