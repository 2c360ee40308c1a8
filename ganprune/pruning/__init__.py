"""What a network keeps: genomes, repair, costs, cutting, and the paper's formulas."""
