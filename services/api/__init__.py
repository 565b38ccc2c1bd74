"""What people and their programs ask: the REST API, signing in, and the page that whoever is on call looks at."""
