"""Arrays in, figures out: ink as SVG, PNG, PDF or JSON points, and training curves."""
