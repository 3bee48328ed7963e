"""The parts of a model: its layers, their nonlinearities, the optimizers that move them."""
