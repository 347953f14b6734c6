# SPDX-License-Identifier: Apache-2.0
"""Build description of vla_console."""

from setuptools import find_packages, setup

PACKAGE = "vla_console"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={PACKAGE: ["py.typed", "page/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "websockets"],
    extras_require={"test": ["pytest"]},  # by this colcon finds that the tests are pytest's
    zip_safe=False,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.com",
    description="The operator's console: a page in the browser and a terminal view of the running graph.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "console_node = vla_console.console_node:main",
            "watch = vla_console.ros.watch:main",
        ],
    },
)
