"""The `docker` engine: every stage in a locked-down container of a pinned image, Docker's or Podman's."""
