"""The only home of Lightning: modules, callbacks, optimisers."""
