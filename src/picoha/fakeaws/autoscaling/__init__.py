"""Auto Scaling in memory: groups, launch hooks, warm pools, replacement, activities."""
