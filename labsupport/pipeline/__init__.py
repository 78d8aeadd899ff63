"""What makes the book of the chapters: run, compare, bless, render them; never needs torch."""
