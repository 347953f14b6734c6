# SPDX-License-Identifier: Apache-2.0
"""Build description of vla_demo."""

from setuptools import find_packages, setup

PACKAGE = "vla_demo"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={PACKAGE: ["py.typed", "**/*.yaml", "**/*.json", "**/*.xml", "**/*.safetensors"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "imageio-ffmpeg", "websockets"],
    extras_require={"test": ["pytest"]},  # by this colcon finds that the tests are pytest's
    zip_safe=False,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.com",
    description="Starts the graph, gives instructions, records video, timeline and a summary.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "demo = vla_demo.cli:main",
            "graph_eval = vla_demo.cli:graph_eval",
            "plot = vla_demo.plot:main",
            "bench_console = vla_demo.bench_console:main",
            "bench_bringup = vla_demo.bench_bringup:main",
            "bench_soak = vla_demo.bench_soak:main",
            "bench_faults = vla_demo.bench_faults:main",
            "bench_period = vla_demo.bench_period:main",
            "bench_recording = vla_demo.ros.bench_recording:main",
            "bench_teleop = vla_demo.bench_teleop:main",
            "ask = vla_demo.ros.ask:main",
        ],
    },
)
