"""EC2 in memory: instances, their states and checks, Elastic IPs."""
