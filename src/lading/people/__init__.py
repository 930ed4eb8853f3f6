"""Who is in pictures: jobs that find and match faces, reference images, and settings tried out."""
