"""Every file format that crosses a border, as a struct; imports nothing above it."""
