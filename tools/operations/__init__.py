"""What whoever runs the pipeline does with it once it is deployed."""
