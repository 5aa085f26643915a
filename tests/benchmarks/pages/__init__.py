"""Figures of pages, computed again from the rows and the models; and the sizes of pages."""
