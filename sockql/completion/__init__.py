"""What may come next in a statement, as a pure function of the text and the cursor."""
