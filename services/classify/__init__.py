"""classify: one mention in, one classified record a brand out, in one pass of the neural network; stateless."""
