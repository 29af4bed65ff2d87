-- Without warnings. The settings' rows stay: history is never edited, and nobody reads them below.
DROP TABLE points_reminder;
