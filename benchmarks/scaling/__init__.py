"""A made-up world of instances that report, for benchmarks/scale_sim.py."""
