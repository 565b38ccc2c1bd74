"""Sets written by hand to measure the network with, none of them a prototype: what no labelled set tells."""
