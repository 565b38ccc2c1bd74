"""The page that whoever is on call looks at: templates, style, a little JavaScript, and the words in each language."""
