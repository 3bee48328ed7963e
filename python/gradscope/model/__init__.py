"""What a model is made of: its layers, their nonlinearities, the optimizers that move them."""
