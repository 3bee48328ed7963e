"""What guessing costs: the loss of the best constant prediction, of the targets that a loss is made with."""
