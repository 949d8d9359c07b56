"""The pinned images in which stages run: what each is made of, how it is built, and its lock."""
