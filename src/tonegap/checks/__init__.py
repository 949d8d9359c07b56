"""Is this download, and are these folders, as they must be?"""
