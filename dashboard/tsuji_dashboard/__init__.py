"""The planner's pages; speaks HTTP to the data API and nothing else."""
