"""The Ray that a run uses: started for it or joined, authenticated, watched, and left."""
