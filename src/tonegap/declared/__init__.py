"""Reads what a suite root declares: data sets, tasks, plug-ins, suites, papers, each from its TOML file."""
