"""Fine-tuning of bi-encoders on questions and passages, and the mining of hard negatives."""
