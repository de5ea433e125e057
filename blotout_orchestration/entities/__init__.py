"""Segments and funnels: what people define, compiled to SQL, kept through time and drawn."""
