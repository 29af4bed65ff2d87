"""What needs a real Chromium: journeys, accessibility, languages."""
