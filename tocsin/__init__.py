"""What Tocsin's services share: contracts, bus, storage, observability, configuration, clock and command line."""
