"""From a folder or CSV to the manifest: images, labels, groups, splits."""
