"""What a suite root holds: data sets, tasks, plug-ins, suites, each read from its TOML file."""
