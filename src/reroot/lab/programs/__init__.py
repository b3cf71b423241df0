"""Small client programs of the laboratory: each connects again and again, with its own driver, and writes down what it got."""
