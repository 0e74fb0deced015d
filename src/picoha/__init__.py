"""picoha: a serverless failover controller for MediationZone cells on AWS."""
