"""Ten million faulty readings through the batch pipeline, against the same rules without Beam and textbook queries."""
