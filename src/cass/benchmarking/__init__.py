"""Methods against each other, and the speed of pretraining: spec, cells, jobs, results, tables."""
