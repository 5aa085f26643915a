"""What a person looks at: tables, the plan, the catalogue of parts, progress. Nothing here computes or decides."""
