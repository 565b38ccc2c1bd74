"""The four processes of Tocsin, one package each; none imports another."""
