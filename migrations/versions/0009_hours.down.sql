DROP TABLE attendance, hours_review, sign_up, shift, activity_leader, activity;
DROP EXTENSION btree_gist;
