//! gradscope
