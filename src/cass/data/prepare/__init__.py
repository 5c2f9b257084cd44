"""Public data sets as their owners hand them out, and files that hold many pictures, made into manifests."""
